"""Tables of published component data; every row names its source."""
