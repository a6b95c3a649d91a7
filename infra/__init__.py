"""What stands around the service: configuration of other programs. Dashboards alone are code."""
