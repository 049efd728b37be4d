"""Every bound of the product that is not a setting, with what happens when it is reached."""

# --- HTTP/1.1, towards clients and upstreams -------------------------------------------------------------------
REQUEST_LINE_BYTES_MAX = 8_192  # 414, connection closed
HEADER_BYTES_MAX = 32_768  # all of one message: 431, connection closed (502 when an upstream sends it)
HEADER_COUNT_MAX = 100  # 431, connection closed
BODY_BYTES_MAX = 1_073_741_824  # default of `body_bytes_max`: 413, connection closed
PIPELINED_REQUESTS_MAX = 16  # reading from the connection pauses
REPEATED_HEAD_BYTES_MAX = 1_024  # a connection remembers its last head up to this size; a larger one is parsed anew
WRITE_BUFFER_BYTES_HIGH = 65_536  # reading from the other side pauses above it (back-pressure)
CLIENT_CONNECTIONS_MAX = 20_000  # default of `connections_max`, per worker: one more is answered 503 and closed
TURNED_AWAY_CONNECTIONS_MAX = 256  # that many are being told so at once; beyond it they are closed without a word
BODY_BYTES_PER_S_MIN = 128.0  # default of `body_bytes_per_s_min`: a slower request body gets 408, connection closed
BODY_RATE_WINDOW_S = 10.0  # over which that rate is measured
BREAK_OFF_S = 1.0  # how long closing a server waits for connections it has broken off; then it goes on without them
HEADER_TIMEOUT_S = 10.0  # a client that sends its request head slower: 408, connection closed
TLS_HANDSHAKE_TIMEOUT_S = 5.0  # default of `handshake_timeout_s`: a TLS client slower than that is cut off
PROXY_HEADER_BYTES_MAX = 4_112  # of the PROXY protocol, version 2 with its extras: a larger one closes the connection
INTRODUCTIONS_MAX = 512  # PROXY headers awaited at a time, per listener of a worker: for one more the oldest is dropped
TLS_HANDSHAKES_MAX = 512  # under way at a time, per listener of a worker: for one more the oldest is dropped
LISTEN_BACKLOG = 1_024  # connections the kernel keeps for us; beyond it, or net.core.somaxconn, it ignores who comes
DRAIN_LINGER_S = 1.0  # idle connections stay so long when a server drains, at most half of its time; then they close
IDLE_TIMEOUT_S = 75.0  # a keep-alive connection without a request is closed
UPSTREAM_IDLE_S = 60.0  # a pooled upstream connection unused for so long is closed
UPSTREAM_IDLE_CONNECTIONS_MAX = 256  # per target and worker; beyond it a finished connection is closed, not pooled
HELD_BODY_BYTES_MAX = 268_435_456  # of bodies that policies read whole, per worker: 503 `overloaded`, Retry-After: 1
REPLAY_BODY_BYTES_MAX = 65_536  # a request body above it is streamed, and so cannot be retried; a pipelined one waits

# --- HTTP/2, towards upstreams -----------------------------------------------------------------------------------
UPSTREAM_STREAMS_ASSUMED = 100  # at a time on a connection, until the upstream's SETTINGS have come
UPSTREAM_STREAM_WINDOW_BYTES = 262_144  # of an answer that is not taken: the upstream must wait with more
UPSTREAM_STREAM_WINDOWS_MAX = 128  # of one connection together; more slow streams than that keep the others waiting
UPSTREAM_QUIET_S = 15.0  # nothing heard for so long, and a new request goes with a PING
UPSTREAM_PING_S = 300.0  # requests under way and nothing heard: a PING (oftener, and gRPC servers take it for abuse)
UPSTREAM_PING_TIMEOUT_S = 10.0  # without a sign of life after it: the connection is broken off

# --- HTTP/2, towards clients -----------------------------------------------------------------------------------
H2_STREAMS_MAX = 128  # default of `streams_max`, of one connection: RST_STREAM REFUSED_STREAM, or the connection ends
H2_STREAM_WINDOW_BYTES = 262_144  # of a body that came and was not taken: the client may send no more of it
H2_CONNECTION_WINDOW_BYTES = 4_194_304  # the same, of all its bodies together
H2_STREAM_QUEUE_BYTES = 65_536  # of an answer that the client's window keeps back: reading it from upstream pauses
H2_CONNECTION_QUEUE_BYTES = 1_048_576  # of all answers together: above it that begins at a quarter
H2_STALL_BYTES_MIN = 1_024  # a client that takes less of an answer within `idle_timeout_s`: its stream is reset
H2_CONTROL_FRAMES_MAX = 1_000  # PING, SETTINGS, WINDOW_UPDATE beyond what answers need: the connection ends …
H2_CONTROL_FRAMES_PER_S = 100  # … unless it is no more than so many in the long run
H2_CANCELS_MAX = 200  # streams that a client ends before their answer, less those it lets end: the connection ends …
H2_CANCELS_PER_S = 20  # … unless it is no more than so many in the long run
H2_ACKNOWLEDGEMENTS_MAX = 1_000  # of PING and SETTINGS, that a client does not read: the connection ends
H2_CONTINUATIONS_MAX = 8  # frames that continue one head: the connection ends
H2_GLITCHES_MAX = 1_000  # frames without meaning (empty DATA, PRIORITY, for streams that are over): the connection ends
H2_GLITCHES_PER_S = 100  # … unless it is no more than so many in the long run

# --- events ----------------------------------------------------------------------------------------------------
SPOOL_SEGMENT_BYTES = 4_194_304  # one memory-mapped file of a worker's spool
SPOOL_SEGMENTS_MAX = 16  # when the bus refuses for so long: newest events are shed and counted
SPOOL_LEFT_BYTES_MAX = 268_435_456  # of dead predecessors; above it a new worker sheds until they are moved
EVENT_BYTES_MAX = 16_384  # one encoded event; longer strings are cut before encoding
BUS_BATCH_EVENTS_MAX = 5_000
BUS_RETENTION_S = 86_400.0  # older batches that every group has read are deleted
BUS_BYTES_MAX = 2_147_483_648  # default of `telemetry.bus_bytes_max`: the oldest batches go, those first that were read

# --- taking telemetry in -----------------------------------------------------------------------------------------
INGEST_BYTES_MAX = 134_217_728  # of bodies and of what waits to be stored, per ingest process: 429, Retry-After
INGEST_POST_ITEMS_MAX = 20_000  # 413: large posts are read one after the other, some 3 µs an item
INGEST_REQUESTS_MAX = 4_096  # posts under way, per ingest process: 429, Retry-After

# --- windows and judgement -------------------------------------------------------------------------------------
ENTITIES_MAX = 20_000  # (org, service, route, environment) kept live; beyond it events count to route "other"
LATE_EVENT_S = 900.0  # an event later than this is counted late, not windowed
HISTORY_MINUTES_MAX = 240  # how much of its own past an entity is compared with
OPEN_ALERTS_MAX = 1_000
OBJECTIVES_MAX = 5_000  # entities whose error budget is watched, some 8 KB each; further ones are not, and it is said
FORECAST_ENTITIES_MAX = 20  # with the most requests of the last day: of the others nothing is forecast
FORECAST_RUN_S_MAX = 600.0  # of one run of the forecaster: then it is ended, and what it had made stands

# --- models of own traffic -------------------------------------------------------------------------------------
MODEL_VERSIONS_MAX = 10  # kept per organisation: the oldest goes, never what serves or served just before
MODEL_CHANGES_MAX = 50  # of which model serves, remembered per organisation: the oldest goes
MODEL_FILE_BYTES_MAX = 16_777_216  # a larger one is not read: it is no model of ours
MODEL_ORGS_MAX = 32  # organisations judged by models of their own at a time; further ones by the bundled, which is said
LEARN_DAYS_MAX = 35  # of minutes kept to learn from; older ones go
LEARN_API_MINUTES_MAX = (
    1_000_000  # learnt from at once, some 1.5 GB: APIs with less traffic are left out, which is said
)
LEARN_S_MAX = 7_200.0  # of one nightly training: then it is ended, and tried again the next day

# --- disk ------------------------------------------------------------------------------------------------------
DISK_LOW_SHARE = 0.1  # of the data directory's file system: less is free, and it is said; of a small one …
DISK_LOW_BYTES = 2_147_483_648  # … less than this: said as well
DISK_CRITICAL_BYTES = 524_288_000  # said as an error
DISK_RESERVE_BYTES = 268_435_456  # until more is free telemetry is refused (503 `storage_full`), no store written
