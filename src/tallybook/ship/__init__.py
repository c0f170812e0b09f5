"""Shipping: a folder's journal segments to a server, with acknowledgements. It deletes nothing unacknowledged."""
