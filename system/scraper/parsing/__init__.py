"""One schedule page becomes matches and refused rows. Pure: no network, no clock of its own."""
