"""Many submissions: on this machine's cores or on a cluster, and what is kept of them."""
