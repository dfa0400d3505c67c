"""What two people do together, an act a file: the tracks of both, and which hand of the carer holds what."""
