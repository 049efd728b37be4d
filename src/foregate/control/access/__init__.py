"""Who may ask: Host guard, token or session, same origin for changes. Decided in `guard`, performed in `shell`."""
