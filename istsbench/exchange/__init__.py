"""Results of others: prediction images and packs, checked before they join a table."""
