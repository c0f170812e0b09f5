"""What a call cost: price list, the user's own prices, and the arithmetic. No network."""
