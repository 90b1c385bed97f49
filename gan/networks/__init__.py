"""What a variant's players are: a file for each kind of network, and the interface that training and scoring use."""
