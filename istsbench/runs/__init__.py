"""A run: processes, shards or a cluster, the store of maps, counts, records and plans."""
