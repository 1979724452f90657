FROM postgres:18-bookworm
