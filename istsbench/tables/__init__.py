"""The tables and what else of them goes into a paper, beside what papers print."""
