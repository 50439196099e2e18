"""Amazon's services, as far as trials and clusters need them."""
