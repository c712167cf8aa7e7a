"""Health checks and metrics, on a port of their own: `MONITORING_PORT`."""
