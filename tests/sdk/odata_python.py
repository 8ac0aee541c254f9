"""Reads tables through PyPI's python-odata, whose classes come from $metadata: URL TOKEN."""

import json
import sys

import requests
from odata import ODataService

url, token = sys.argv[1:]
session = requests.Session()
session.auth = ("any", token)
session.trust_env = False
service = ODataService(url, session=session, reflect_entities=True, quiet_progress=True)
twins, readings = service.entities["Twins"], service.entities["Readings"]
alarms = service.entities["Alarms"]
some = service.query(twins).filter(twins.Id.startswith("p")).order_by(twins.Id.desc()).limit(2)
values = service.query(readings).filter((readings.TwinId == "p0") & (readings.Property == "flow"))
values = values.filter("Value ge 1490")
print(
    json.dumps(
        {
            "entities": sorted(service.entities),
            "some": [(one.Id, one.ModelName) for one in some],
            "values": [(one.Value, one.Time.isoformat()) for one in values],
            "all": sum(1 for _ in service.query(readings).filter(readings.TwinId == "p0")),
            "alarms": len(list(service.query(alarms))),
        }
    )
)
