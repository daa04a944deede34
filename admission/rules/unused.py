"""Ids that no rule of the tables has, and why. Read by the documentation alone."""

ELSEWHERE = {
    "U08": "what a Canary generated is guarded by a webhook of its own, see `admission.protection`",
}
"""Ids of what is refused, but not by a rule about Canaries, MetricTemplates or AlertProviders."""

UNUSED = {
    "P06": "the builtin metrics ask for the canary's Service, whatever the target is called",
    "P13": "a canary leaves the route the moment its last endpoint goes, whatever allowEmptyServices says",
    "M12": "an alert without a severity is sent for everything, as info is its default",
    "M19": "a revision that waits for its first gate has no pods yet, so there is nothing to roll back",
    "M20": "event hooks are called beside the rounds, which do not wait for them",
    "O08": "DaemonSets are not rolled out yet; P07 refuses them",
    "O12": "ScaledObjects are not copied yet; P20 refuses them",
    "O14": "ConfigMaps and Secrets are not tracked and not copied",
    "P18": "timeouts are the Gateway API's; P17 refuses that, and P08 says that Traefik does not use them",
    "T02": "Prometheus needs no Secret, no other provider is asked yet, and admission reads no Secrets",
    "U04": "the next round is due by the new interval; a round that runs is not asked twice",
}
"""Ids of what goes wrong with Flagger and not here."""
