"""The five jobs of bench_ssa in numbers, once, and the forms in which simulators want them. A reaction is a constant c,
what it takes and what it gives; its propensity is c times the copies of what it takes, and c n(n-1)/2 for two alike.
Nothing here runs a simulator."""
import math
import re
from collections import Counter

JOBS = {
    # start, reactions, time of a replica, whether more time is more of the same, time of the check, how it is known
    "ring": ("S0=1", """
        100 S0 > S1; 20 S0 > S5; 200 S1 > S2; 40 S1 > S0; 150 S2 > S3; 30 S2 > S1; 300 S3 > S4; 60 S3 > S2; 250 S4 > S5;
        50 S4 > S3; 120 S5 > S0; 24 S5 > S4""", 100, True, 0.01, "exact"),
    "fuel": ("A=50 B=50 F=1000 W=10", """
        1 A > B; 2 B > A; 0.01 B + F > A + F; 0.01 A + W > B + W""", 20, True, 0.1, "exact"),
    "vilar": ("Da=1 Dr=1", """
        1 Da + A > Dpa; 1 Dr + A > Dpr; 50 Dpa > Da + A; 100 Dpr > Dr + A; 50 Da > Da + Ma; 500 Dpa > Dpa + Ma;
        0.01 Dr > Dr + Mr; 50 Dpr > Dpr + Mr; 50 Ma > Ma + A; 5 Mr > Mr + R; 2 A + R > C; 10 Ma > ; 0.5 Mr > ; 1 A > ;
        0.2 R > ; 1 C > R""", 200, False, 5, "simulated"),
    "dimer": ("S1=100000", """
        1 S1 > ; 0.002 S1 + S1 > S2; 0.5 S2 > S1 + S1; 0.04 S2 > S3""", 10, False, 10, "simulated"),
    "chain": (" ".join(f"X{i}=10" for i in range(1000)),
              "; ".join(f"1 X{i} > X{i + 1}; 1 X{i + 1} > X{i}" for i in range(999)), 2, True, 2, "closed"),
}


class Job:
    def __init__(self, name):
        start, text, self.time, self.steady, self.check_time, self.known = JOBS[name]
        self.name = name
        self.reactions = []
        for line in text.split(";"):
            constant, left, right = re.fullmatch(r"\s*(\S+)\s(.*)>(.*)", line).groups()
            self.reactions.append((float(constant), *(tuple(re.findall(r"\w+", side)) for side in (left, right))))
        names = dict.fromkeys(s for _, left, right in self.reactions for s in left + right)
        given = dict(pair.split("=") for pair in start.split())
        self.species = {s: int(given.get(s, 0)) for s in sorted(names, key=lambda s: (len(s), s))}

    def falling(self):
        """The reactions with a constant for n(n-1) instead of n(n-1)/2."""
        return [(c / math.prod(math.factorial(n) for n in Counter(left).values()), left, right)
                for c, left, right in self.reactions]

    def statistics(self, final):
        """What the check compares, of one final state: the counts, and of the chain the mean square, since every
        count stays at 10 in the mean."""
        if self.known == "closed":
            return [sum(n * n for n in final) / len(final)]
        return final

    def ness(self):
        """As a model of ness: a reaction and its reverse are one reversible step there."""
        lines = [f"model {self.name}", "units natural"]
        lines += [f"species {s} = {n}" for s, n in self.species.items()]
        rest = self.falling()
        side = lambda names: " + ".join(f"{n} {s}" if n > 1 else s for s, n in Counter(names).items()) or "0"
        while rest:
            forward, left, right = rest.pop(0)
            back = next((r for r in rest if r[1:] == (right, left)), None)
            if back:
                rest.remove(back)
            arrow, constants = ("<->", f"{forward!r}, {back[0]!r}") if back else ("->", repr(forward))
            lines.append(f"r{len(lines)}: {side(left)} {arrow} {side(right)} @ {constants}")
        return "\n".join(lines) + "\n"

    def sbml(self):
        """As SBML with every propensity written out; species are counts."""
        apply = lambda op, *terms: f"<apply><{op}/>{''.join(terms)}</apply>"
        out = ['<?xml version="1.0" encoding="UTF-8"?><sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" '
               'version="1"><model id="m"><listOfCompartments><compartment id="v" size="1" constant="true" '
               'spatialDimensions="3"/></listOfCompartments><listOfSpecies>']
        out += [f'<species id="{s}" compartment="v" initialAmount="{n}" hasOnlySubstanceUnits="true" '
                'boundaryCondition="false" constant="false"/>' for s, n in self.species.items()]
        out.append("</listOfSpecies><listOfReactions>")
        for i, (constant, left, right) in enumerate(self.falling()):
            factors = [f"<cn>{constant!r}</cn>"]
            for s, n in Counter(left).items():
                factors += [f"<ci>{s}</ci>"] + [apply("minus", f"<ci>{s}</ci>", f"<cn>{k}</cn>") for k in range(1, n)]
            out.append(f'<reaction id="r{i}" reversible="false" fast="false">')
            for tag, names in (("listOfReactants", left), ("listOfProducts", right)):
                refs = "".join(f'<speciesReference species="{s}" stoichiometry="{n}" constant="true"/>'
                               for s, n in Counter(names).items())
                out.append(f"<{tag}>{refs}</{tag}>" if refs else "")
            out.append(f'<kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">{apply("times", *factors)}'
                       "</math></kineticLaw></reaction>")
        return "".join(out) + "</listOfReactions></model></sbml>"
