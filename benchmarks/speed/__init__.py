"""Training speed beside other libraries: interactions go in, speed, memory and NDCG of each come out."""
