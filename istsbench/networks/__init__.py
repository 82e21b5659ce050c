"""Networks: how they are built, fed, trained, stored, and what they cost."""
