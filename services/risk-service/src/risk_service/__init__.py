"""The risk service: criteria, register, assessment, treatment and acceptance of the risks of the service provider."""
