import { beforeEach, describe, expect, it } from "vitest";
import { go, href, parse, place, setSearch } from "@/core/router.ts";

describe("addresses", () => {
  it.each([
    ["/app/", "overview", ""],
    ["/app/overview?twin=a", "overview", ""],
    ["/app/login?reason=link", "overview", ""],
    ["/app/twins/pump-1?tab=trends", "twins", "pump-1"],
    ["/app/twins/a%2Fb%20c", "twins", "a/b c"],
    ["/app/alarms/a-000001", "alarms", "a-000001"],
    ["/app/nothing/here", "unknown", "here"],
    ["/app/twins/%E0%A4%A", "twins", "%E0%A4%A"],
  ])("%s is %s %s", (path, route, id) => expect([parse(path).route, parse(path).id]).toEqual([route, id]));

  it("survive any id", () => {
    for (const id of ["pump-1", "a/b", "ü ?&#%", "<img>", "1+1"]) expect(parse(href("twins", id)).id).toBe(id);
  });
});

describe("going", () => {
  beforeEach(() => go("/app/overview"));
  it("changes the place", () => {
    go(href("twins", "pump-1", { tab: "raw" }));
    expect([place.value.route, place.value.id, place.value.search.get("tab")]).toEqual(["twins", "pump-1", "raw"]);
  });
  it("keeps other parameters when one changes", () => {
    go("/app/twins?search=a&model=m");
    setSearch({ search: "b" });
    setSearch({ model: "" });
    expect(location.search).toBe("?search=b");
  });
});
