"""onvif-zeep-async, the client of Home Assistant, which signs with tokens and knows Media1 only.

    zeep_async.py visit|look|refused OPTIONS    (JSON; see tests/onvif/driver.rs)

It is given the official WSDL of Media2, so that what it sets through the one service it reads through the other.
"""

import asyncio
import base64
from pathlib import Path

from onvif import ONVIFCamera
from onvif.client import ONVIFService

from report import encoder, found, options, refused

MEDIA2 = "http://www.onvif.org/ver20/media/wsdl"
MEDIA2_WSDL = Path(__file__).parents[2] / ".tools/wsdl/ver20/media/wsdl/media.wsdl"


async def connect(given, user, password):
    """Connects as Home Assistant does, and counts the time from the camera's clock."""
    camera = ONVIFCamera(given["host"], given["port"], user, password, no_cache=True, adjust_time=True)
    await camera.update_xaddrs()
    return camera


async def media2(camera):
    """The second media service, by the official WSDL."""
    service = ONVIFService(
        camera.xaddrs[MEDIA2],
        camera.user,
        camera.passwd,
        str(MEDIA2_WSDL),
        no_cache=True,
        dt_diff=camera.dt_diff,
        binding_name=f"{{{MEDIA2}}}Media2Binding",
    )
    await service.setup()
    return service


async def attempt(name, call):
    """Does what may be refused."""
    try:
        found(name, (await call) is None)
    except Exception as error:  # noqa: BLE001 (whatever the client makes of it)
        refused(name, error)


async def changed(media, given):
    """The configuration of the encoder as it shall be."""
    configuration = await media.GetVideoEncoderConfiguration({"ConfigurationToken": given["encoder"]})
    wanted = given["wanted"]
    configuration.Resolution.Width, configuration.Resolution.Height = wanted["width"], wanted["height"]
    configuration.RateControl.FrameRateLimit = wanted["rate"]
    configuration.RateControl.BitrateLimit = wanted["kbps"]
    return {"Configuration": configuration, "ForcePersistence": True}


async def look(camera, given):
    """Reads the encoder through both services, and the addresses of the profile."""
    media = await camera.create_media_service()
    one = await media.GetVideoEncoderConfiguration({"ConfigurationToken": given["encoder"]})
    found("media1", encoder(one))
    second = await media2(camera)
    two = await second.GetVideoEncoderConfigurations({"ConfigurationToken": given["encoder"]})
    found("media2", encoder(two[0]))
    await second.close()
    setup = {"Stream": "RTP-Unicast", "Transport": {"Protocol": "RTSP"}}
    uri = await media.GetStreamUri({"StreamSetup": setup, "ProfileToken": given["profile"]})
    found("stream", uri.Uri)
    found("snapshot", await camera.get_snapshot_uri(given["profile"]))
    picture = await camera.get_snapshot(given["profile"])
    found("picture", base64.b64encode(picture).decode())


async def profiles(media):
    """Lists the profiles with their encoders."""
    encoders = {profile.token: profile.VideoEncoderConfiguration for profile in await media.GetProfiles()}
    return {token: configuration and encoder(configuration) for token, configuration in encoders.items()}


async def visit(camera, given):
    """Everything that an administrator does at the first visit."""
    device = camera.services[("devicemgmt", None)]
    found("services", camera.xaddrs)
    information = await device.GetDeviceInformation()
    found("device", {name: information[name] for name in ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber")})
    interfaces = await device.GetNetworkInterfaces()
    found("macs", [interface.Info.HwAddress for interface in interfaces])
    capabilities = await camera.get_capabilities()
    found("media", capabilities["Media"]["XAddr"])
    media = await camera.create_media_service()
    found("profiles", await profiles(media))
    made = await media.CreateProfile({"Name": "Home Assistant", "Token": "made"})
    found("made", [made.token, list(await profiles(media))])
    await media.DeleteProfile({"ProfileToken": made.token})
    found("deleted", list(await profiles(media)))
    offered = await media.GetVideoEncoderConfigurationOptions({"ConfigurationToken": given["encoder"]})
    found("offered", [[size.Width, size.Height] for size in offered.H264.ResolutionsAvailable])
    await media.SetVideoEncoderConfiguration(await changed(media, given))
    await look(camera, given)
    await device.CreateUsers({"User": given["users"]})
    found("users", [[user.Username, user.UserLevel] for user in await device.GetUsers()])


async def refusals(given):
    """What is refused to users of lower levels, and to whoever has a wrong password."""
    for user in given["users"]:
        camera = await connect(given, user["Username"], user["Password"])
        media, device = await camera.create_media_service(), camera.services[("devicemgmt", None)]
        level = user["UserLevel"]
        found(f"{level} reads", list(await profiles(media)))
        await attempt(f"{level} sets", media.SetVideoEncoderConfiguration(await changed(media, given)))
        await attempt(f"{level} creates", device.CreateUsers({"User": [{**user, "Username": "another"}]}))
        await camera.close()
    camera = await connect(given, given["user"], "wrong")
    await attempt("wrong token", camera.services[("devicemgmt", None)].GetDeviceInformation())
    await camera.close()


async def main():
    """Runs the step."""
    step, given = options()
    if step == "refused":
        await refusals(given)
        return
    camera = await connect(given, given["user"], given["password"])
    await {"visit": visit, "look": look}[step](camera, given)
    await camera.close()


asyncio.run(main())
