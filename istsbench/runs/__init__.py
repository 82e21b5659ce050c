"""A run: processes, shards or a cluster, the store of maps, the counts and their record."""
