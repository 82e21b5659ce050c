"""Spatial-domain methods: morphology, order filters, derivatives, density peaks, mixtures."""
