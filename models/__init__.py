"""What stages are made of: data types, geometry, files, networks, the body, physics, rendering; starter weights."""
