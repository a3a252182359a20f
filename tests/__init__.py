"""NeonHub's tests: unit without services, integration with them, e2e with the started system."""
