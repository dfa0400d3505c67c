"""Whether simulated falls can be told from real ones: windows, counterparts, features, two-sample tests."""
