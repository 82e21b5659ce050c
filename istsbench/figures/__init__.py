"""The figures: how they look, and what each shows."""
