"""How falls are compared: simulated with real ones (windows, counterparts, features, two-sample tests), done with asked."""
