"""The reference deployments, written as a user of Proctor would write them."""
