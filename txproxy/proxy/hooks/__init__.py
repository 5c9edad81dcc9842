"""Short functions of people in the way of requests: called, waited for, and kept from harming others."""
