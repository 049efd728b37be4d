"""What a value should have been, in words: for every expression that values are held against."""

WANTED = {
    r"^(key|org|plan|ip|route|service|all|header:[A-Za-z0-9-]{1,64})$": (
        "must be key, org, plan, ip, route, service, all, or header:Name"
    ),
    r"^(key|ip|path|header:[A-Za-z0-9-]{1,64}|cookie:[A-Za-z0-9_-]{1,64}|query:[^&=]{1,64})$": (
        "must be key, ip, path, header:Name, cookie:name or query:name"
    ),
    r"^(key|org|plan|ip|route|all|header:[A-Za-z0-9-]{1,64})$": (
        "must be key, org, plan, ip, route, all, or header:Name"
    ),
    r"^[!-~]{1,128}$": "must be the name of a model: visible ASCII without spaces, 128 at most",
    r"^(/[!-~]*[^/])?$": 'must be empty or a path like /v1, without "/" at its end',
    r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$": 'must be a name: letters, digits, ".", "_" and "-", 63 at most',
    r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$": "must be the name of a subprotocol: a token without spaces, 128 at most",
    r"^(/[^/]*)+$": 'must be a JSON pointer: "/" before every name, such as /items/*/id',
    r"^/[!-~]*$": 'must be a path: "/" and then visible ASCII without spaces',
    r"^https?://[^\s@]+$": "must be a URL like http://127.0.0.1:4318, without a password",
    r"^[^\s/,@]+:[0-9]{1,5}$": "must be host:port",
    r"^[A-Za-z0-9._-]{1,128}$": 'must be the name of a topic: letters, digits, ".", "_" and "-", 128 at most',
    r"^[A-Za-z0-9._-]{0,128}$": 'may hold letters, digits, ".", "_" and "-", 128 at most',
    r"^[A-Za-z0-9._-]{0,64}$": 'may hold letters, digits, ".", "_" and "-", 64 at most',
    r"^hmac-sha256:[0-9a-f]{64}$": "must be what foregate keys hash prints: hmac-sha256: and 64 digits and letters a-f",
}
