"""A real Kafka broker for the suites that else run on the client library's mock cluster: `make kafka-test`."""
