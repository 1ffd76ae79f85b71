"""The parts of the policy's benchmark."""
