"""What has happened, for those who want to know: listens to finished exchanges."""
