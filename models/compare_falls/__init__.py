"""How falls are compared: simulated with real ones (windows, counterparts, features, tests), done with asked for."""
