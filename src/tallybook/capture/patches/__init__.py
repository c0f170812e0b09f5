"""Where official SDKs are listened to: few choke points, in one table (`table`)."""
