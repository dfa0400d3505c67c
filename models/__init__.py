"""Networks, body model, physics and renderer. torch lives here; starter weights lie in `models/starter/`."""
