"""The HTML report: one page and its sections."""
