"""What customers write: reviews ▶ sentiment, aspects by product, and what changed."""
