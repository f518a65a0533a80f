"""What leaves the dashboard: pictures, packs, slides."""
