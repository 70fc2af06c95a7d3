"""The system in containers, on a network of its own: public images, and our own one.

docker      the substrate: up, down, kill, pause, scale
services    each part as a container: image, command, files, how to see that it answers
container   makes and starts one;  startup  brings them up side by side
images      what is pulled, and what is built for the lab
leftovers   nothing outlives a lab, however it ends
engine      the command line of Docker, through which all of this goes

What is the same wherever containers run is in `containers`.
"""
