"""Who may do what: access keys and projects."""
