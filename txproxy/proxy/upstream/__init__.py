"""The upstreams' side of the machine: connections that are kept, and the protocol that is spoken on them."""
