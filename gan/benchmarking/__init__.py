"""How fast this machine trains, beside others and the floor."""
