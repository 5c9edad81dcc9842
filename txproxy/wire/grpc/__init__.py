"""What of gRPC a proxy has to know: its statuses, its deadlines, and the messages of its health checks."""
