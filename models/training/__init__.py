"""What trains networks; nothing that runs the product imports it."""
