"""RFC 5280 path reasoning of ours, over pyca's parsed certificates and its signature checks. Two uses:

- ``decide`` finds a path that holds every rule of a profile, for what pyca's verifier does not judge;
- ``explain`` lists the candidate paths with each certificate's checks, and what several profiles say. It runs
  when somebody asks, or after a refusal, never on the way to success. ``diagnose`` makes one error of it.

Nothing is imported here: who decides does not load what explains.
"""
