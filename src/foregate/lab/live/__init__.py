"""The world on sockets: each instance an HTTP service, clients that ask the gateway, and a control endpoint."""
