"""Records and rules that everything else speaks: no I/O, no clock, makes no ids."""
