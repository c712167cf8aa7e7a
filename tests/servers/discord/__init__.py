"""A local Discord: REST, gateway and CDN on one TLS port, told apart by Host."""
