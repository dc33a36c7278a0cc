#!/usr/bin/env python3
"""Runs scenarios.json through policy_model.py, second by second, and writes what it decides to model.json.

The model's numbers are those of the test's policy: fixed settle of 5 s, no jitter, a probe every 10 s. A start takes one
second, or 75 of what starts "slowly"; what "dies" does so one second after it runs."""

import json
import pathlib

import policy_model as model

HERE = pathlib.Path(__file__).resolve().parent
model.CFG.update(probe_every=10, jitter=0.0)


class Target:
    def __init__(self):
        self.sup, self.intent, self.inst, self.hung, self.until = "running", None, 1, False, None

    def start(self, now, takes):
        self.sup, self.intent, self.hung, self.until = "starting", None, False, now + takes
        self.inst += 1


def run(scenario):
    names = sorted(scenario["services"])
    world = {name: Target() for name in names}
    persisted = {name: model.new_p() for name in names}
    volatile = {name: model.new_v() for name in names}
    host, paused, actions = model.new_h(), set(), []
    takes = 75 if scenario["starts"] == "slowly" else 1
    for now in range(scenario["seconds"]):
        for target in world.values():
            if target.until != now:
                continue
            if target.sup == "starting":
                target.sup = "running"
                target.until = now + 1 if scenario["starts"] == "dies" else None
            elif target.sup == "running":
                target.sup, target.until = "failed", None
        for at, what, name in scenario["events"]:
            if at != now:
                continue
            if what == "kill" and world[name].sup == "running":
                world[name].sup = "failed"
            elif what == "hang":
                world[name].hung = True
            elif what == "stop":
                world[name].sup, world[name].intent = "stopped", "operator"
            elif what == "start":
                world[name].start(now, takes)
            elif what == "pause":
                paused.add(name)
            elif what == "resume":
                paused.discard(name)
            elif what == "kill the agent":
                volatile = {name: model.new_v() for name in names}
        for name in names:
            target = world[name]
            due = now % model.CFG["probe_every"] == 0 and target.sup == "running"
            seen = dict(
                sup=target.sup,
                inst=target.inst,
                intent=target.intent,
                probe=not target.hung if due else None,
            )
            down = [world[root].sup != "running" or persisted[root]["incident"] for root in scenario["services"][name]]
            env = dict(
                shutdown=False,
                bus=True,
                store_ok=True,
                maint=name in paused,
                boot=now < model.CFG["boot_grace"],
                deps_down=any(down),
                inflight_total=sum(1 for other in names if model.unbegun(persisted[other], world[other].inst)),
            )
            action = model.decide(name, persisted[name], volatile[name], host, seen, env, now)
            if action:
                actions.append([now, name, "restart" if action["verb"] == "try-restart" else action["verb"]])
                target.start(now, takes)
    return actions


decided = {scenario["name"]: run(scenario) for scenario in json.loads((HERE / "scenarios.json").read_text())}
lines = [f"  {json.dumps(name)}: {json.dumps(actions)}" for name, actions in decided.items()]
(HERE / "model.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
